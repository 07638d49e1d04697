"""A film that is killed at any moment, or loses power: does the same command complete it, and what is done twice?"""
