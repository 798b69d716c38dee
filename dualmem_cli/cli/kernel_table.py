"""A library's table for a person."""

from rich.console import Console
from rich.markup import escape

from dualmem_cli.model.kernel import Kernel, Library
from dualmem_cli.model.metric import Better
from dualmem_cli.model.units import significant


def print_library(library: Library, *, origin: str, layouts: int) -> None:
    """One line per kernel and variant; parameters and metrics under each kernel."""
    console = Console(highlight=False, soft_wrap=True)
    abi = ".".join(map(str, library.abi))
    console.print(
        f"{escape(library.name)} {escape(library.version)}  ABI {abi}; {escape(library.compiler)}; {layouts} layout"
        f"{'s' if layouts != 1 else ''}; {escape(origin)}"
    )
    for name in dict.fromkeys(kernel.name for kernel in library.kernels):
        variants = library.variants(name)
        console.print(f"\n[bold]{escape(name)}[/bold]  {escape(variants[0].summary)}")
        width = max(len(kernel.variant) for kernel in variants)
        wide = max(len(_support(kernel)) for kernel in variants)
        for kernel in variants:
            console.print(f"  {escape(f'{kernel.variant:<{width}}  {_support(kernel):<{wide}}')}  {_traits(kernel)}")
        for parameter in variants[0].parameters:
            numbers = (significant(value, 12) for value in (parameter.default, parameter.minimum, parameter.maximum))
            default, minimum, maximum = numbers
            console.print(f"    {escape(parameter.name)} = {default} ({minimum} to {maximum})  {escape(parameter.meaning)}")
        for metric in variants[0].metrics:
            better = "" if metric.better is Better.NEITHER else f", {metric.better} is better"
            unit = escape(f"[{metric.unit}]")
            console.print(f"    -> {escape(metric.name)} {unit}{better}  {escape(metric.meaning)}")


def _support(kernel: Kernel) -> str:
    return "runs here" if kernel.supported else f"not here: {kernel.reason}"


def _traits(kernel: Kernel) -> str:
    traits = [f"output {kernel.output}", f"tolerance {kernel.tolerance:g}"]
    traits += [word for word, has in (("needs data", kernel.needs_data), ("prepares", kernel.prepare)) if has]
    return ", ".join(traits)
