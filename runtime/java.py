from pathlib import Path


def java_home(state_dir, environ):
    return Path("/usr/lib/jvm/java-17-openjdk-amd64")
