"""The page on which a response can be scored and looked at: what is computed, what is shown, what serves it."""
