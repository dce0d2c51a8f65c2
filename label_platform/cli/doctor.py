"""d"""
import typer
app = typer.Typer()
