"""One folder or file a command: settings in, stages side by side, a report or an exit out."""
