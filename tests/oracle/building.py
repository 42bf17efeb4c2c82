"""Plans of nets, and how either world builds one.  Plain data: it imports neither holdfast nor Keras.

A plan is a JSON object: "kind" ("Sequential" or "functional"); "inputs", each with "name", "shape" and "words" (how
many, where they are indices into a table; else null); "layers", each name with its "class" and "settings"; "calls",
each with its "layer" and the places of its "inputs" among all values, which are the inputs, then what each call gave;
"outputs", places of values, each with its loss in "losses"; "random", whether training it is.
"""

from typing import Any

Plan = dict[str, Any]  # Any: JSON values
STEPS, RATE = 3, 0.02  # of SGD


def build(plan: Plan, world: Any) -> Any:  # Any: holdfast or keras, and a model of it
    """The model of a plan.

    Args:
        world: has `layers`, `Input`, `Sequential` and `Model`.
    """
    made = {
        name: getattr(world.layers, row["class"])(**row["settings"], name=name) for name, row in plan["layers"].items()
    }
    values = [world.Input(tuple(one["shape"]), name=one["name"]) for one in plan["inputs"]]
    if plan["kind"] == "Sequential":
        return world.Sequential([values[0], *(made[call["layer"]] for call in plan["calls"])])
    inputs = values[:]
    for call in plan["calls"]:
        taken = [values[place] for place in call["inputs"]]
        values.append(made[call["layer"]](taken if len(taken) > 1 else taken[0]))
    outputs = [values[place] for place in plan["outputs"]]
    return world.Model(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])


def one_or_all(arrays: list[Any]) -> Any:  # Any: arrays
    """As both worlds want them: a single one is not a list."""
    return arrays if len(arrays) > 1 else arrays[0]
