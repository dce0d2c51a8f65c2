def evaluations_recipe(context, partition): return {}
def build_evaluations(context, partition): raise RuntimeError("stub")
