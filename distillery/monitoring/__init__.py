"""What is served, held against what was learned: classes, input lengths, accuracy."""
