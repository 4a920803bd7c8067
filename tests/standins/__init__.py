"""Stand-ins for the speech and language providers.

They speak the providers' own protocols on a loopback port, so that the host
runs in tests what it runs in production. No word of a transcript is made up
here: it comes from the audio that arrives, see ear.py.
"""
