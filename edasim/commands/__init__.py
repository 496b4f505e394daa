"""What the words after `edasim` do, one module for each."""
