"""What a team runs besides the flows: servers, images, job templates. No part of the library."""
