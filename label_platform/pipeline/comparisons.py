def comparisons_recipe(context, partition): return {}
def build_comparisons(context, partition): raise RuntimeError("stub")
