"""A narrator of the demo that nobody listens to."""


class Silent:
    """Takes what a narrator is told."""

    def title(self, title, text=""):
        pass

    def say(self, text):
        pass

    def compare(self, rows):
        pass
