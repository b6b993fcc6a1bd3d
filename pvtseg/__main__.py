"""python -m pvtseg VERB key=value ..."""

from pvtseg.cli.verbs import main

main()
