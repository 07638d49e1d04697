"""What is known of a film's colour from outside: reference pictures, found in the film and laid on its frames."""
