"""The model's own server: started, warmed up, looked at."""
