import gc


def run():
    gc.collect()
