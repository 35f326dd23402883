"""The page over a run's statistics: one offline HTML file. docs/dashboard.md says what each view answers."""

from dashboard.page import PageFacts, render_page

__all__ = ["PageFacts", "render_page"]
