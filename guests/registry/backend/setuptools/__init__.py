"""Stands in for setuptools while source archives are fetched: pip asks the
build backend for a package's metadata, and nothing of the package shall run."""
