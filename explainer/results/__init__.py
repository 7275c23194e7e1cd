"""What an explanation gives: numbers, audit, pictures and files."""
