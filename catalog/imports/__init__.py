"""Imports: images from an address, and from a folder of this machine."""
