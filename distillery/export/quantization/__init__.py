"""One file = one way to store and multiply weights in fewer bits than fp32."""
