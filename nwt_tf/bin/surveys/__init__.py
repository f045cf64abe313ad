"""Listening tests: footage to surveys, and answers to figures."""
