import os


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Answers name and version as the archive itself states them."""
    fields = {}
    with open("PKG-INFO", encoding="utf-8") as info:
        for line in info:
            key, separator, value = line.partition(": ")
            if not separator:
                break
            fields.setdefault(key, value.strip())
    name = "%s-%s.dist-info" % (fields["Name"].replace("-", "_"), fields["Version"])
    os.makedirs(os.path.join(metadata_directory, name), exist_ok=True)
    with open(os.path.join(metadata_directory, name, "METADATA"), "w", encoding="utf-8") as metadata:
        for key in ("Metadata-Version", "Name", "Version"):
            metadata.write("%s: %s\n" % (key, fields[key]))
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise RuntimeError("packages are only fetched, never built")
