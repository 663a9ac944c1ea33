"""The product's own themes, dark and light; everything else is derived from Textual's theme variables."""

from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="fext-dark",
    dark=True,
    primary="#6cb6ff",
    secondary="#8b98ab",
    accent="#e6a85c",
    success="#5fbf9b",
    warning="#e6a85c",
    error="#ef6f6c",
    foreground="#d8dee6",
    background="#12161c",
    surface="#191f27",
    panel="#222a34",
    variables={
        "text-muted": "#8a97a6",
        "text-disabled": "#5c6773",
        "border": "#3a4552",
        "border-blurred": "#2c3540",
        "footer-background": "#191f27",
        "footer-key-foreground": "#e6a85c",
        "footer-description-foreground": "#aab4c0",
        "input-cursor-background": "#d8dee6",
        "input-selection-background": "#6cb6ff 35%",
        "block-cursor-background": "#2b4a6b",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#252e39",
        "block-cursor-blurred-foreground": "#d8dee6",
        "scrollbar": "#3a4552",
        "scrollbar-hover": "#4c5a6a",
        "scrollbar-active": "#6cb6ff",
        "scrollbar-background": "#191f27",
        "scrollbar-background-hover": "#191f27",
        "scrollbar-background-active": "#191f27",
        "scrollbar-corner-color": "#191f27",
    },
)

LIGHT = Theme(
    name="fext-light",
    dark=False,
    primary="#0b5cad",
    secondary="#5a6675",
    accent="#9a5b00",
    success="#0e7a55",
    warning="#9a5b00",
    error="#b3261e",
    foreground="#1d242c",
    background="#f6f7f9",
    surface="#ffffff",
    panel="#e9edf1",
    variables={
        "text-muted": "#5f6b78",
        "text-disabled": "#98a3ae",
        "border": "#b8c1cb",
        "border-blurred": "#d5dbe2",
        "footer-background": "#e9edf1",
        "footer-key-foreground": "#9a5b00",
        "footer-description-foreground": "#3c4650",
        "input-cursor-background": "#1d242c",
        "block-cursor-background": "#cfe3f8",
        "block-cursor-foreground": "#0b2a4a",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e3e8ee",
        "block-cursor-blurred-foreground": "#1d242c",
        "scrollbar": "#b8c1cb",
        "scrollbar-hover": "#98a4b1",
        "scrollbar-active": "#0b5cad",
        "scrollbar-background": "#ffffff",
        "scrollbar-background-hover": "#ffffff",
        "scrollbar-background-active": "#ffffff",
        "scrollbar-corner-color": "#ffffff",
    },
)

THEMES = (DARK, LIGHT)


def cursor_variables(variables: Mapping[str, str], *, few_colors: bool) -> dict[str, str]:
    """Return the variables of a theme with what sets the cursor off.

    Where there are few colors, or none, the row of the cursor is turned round. Textual does not turn an option of a
    list round: its colors, ``option-cursor-…``, are exchanged instead, and it is underlined.
    """
    if not few_colors:
        names = ("background", "foreground", "text-style")
        return {**variables, **{f"option-cursor-{name}": variables[f"block-cursor-{name}"] for name in names}}
    background, foreground = variables["background"], variables["foreground"]
    return {
        **variables,
        "block-cursor-background": background,
        "block-cursor-foreground": foreground,
        "block-cursor-text-style": "bold reverse",
        "block-cursor-blurred-text-style": "bold underline",
        "option-cursor-background": foreground,
        "option-cursor-foreground": background,
        "option-cursor-text-style": "bold underline",
    }
