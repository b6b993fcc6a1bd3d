"""What all tests share."""

import os

# Threads that spin while they wait take the processor from each other: on two busy cores a tiny test takes seconds.
# Has to be said before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
