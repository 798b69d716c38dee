"""The nouns: frozen dataclasses that every other package speaks in. No behaviour beyond what a noun knows of itself."""
