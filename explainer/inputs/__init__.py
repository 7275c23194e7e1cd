"""What the caller gives, made into what the model takes."""
