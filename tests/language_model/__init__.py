"""A real language model on this machine: llama.cpp's server with a small instruct model.

What it takes comes from packages, once; after that nothing here needs a network. The model is too
small to be trusted: tests look at what DOME makes of what it says, never at how clever that is.
"""
