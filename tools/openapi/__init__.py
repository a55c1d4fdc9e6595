"""The API's own description, generated from the models that validate and the tables that answer."""
