"""Opens with a byte order mark."""
from sqlalchemy import create_engine

engine = create_engine("postgresql://localhost/shop")
