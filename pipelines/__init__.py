"""The Beam jobs and the transforms that wire curation to them. No logic lives here."""
