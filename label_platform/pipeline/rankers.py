def rankers_recipe(context, partition): return {}
def build_rankers(context, partition): raise RuntimeError("stub")
