"""How late a live picture is: from a time stamp burnt into the source to the pixel that is shown."""
