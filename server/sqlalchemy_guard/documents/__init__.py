"""Documents that are not Python: pipelines, scripts, configuration. Read as data; must never run or look up anything."""
