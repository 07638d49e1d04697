"""What every reader of picture files needs: their bytes, colour profiles, orientation, and errors in one line."""
