"""Stores of used nonces for more than one process: a file for one machine (sqlite), Redis for several (redis)."""
