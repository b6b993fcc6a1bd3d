"""The published families. A new one is a file here and an entry below."""

from pvtseg.checkpoints.families import glpn, openmmlab, pvt_v2, segformer

FAMILIES = (pvt_v2.FAMILY, segformer.FAMILY, glpn.FAMILY, openmmlab.FAMILY)
