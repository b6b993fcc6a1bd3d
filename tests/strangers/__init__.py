"""Parts of somebody else: a task that finds the bright spot of an image, and a part for
each interface of pvtseg.
"""
