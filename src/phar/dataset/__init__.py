"""From annotations to clips to train on."""
