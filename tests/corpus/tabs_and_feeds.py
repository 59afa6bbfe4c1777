"""Tabs, form feeds and characters beyond the basic plane: 😀 𝔘 é."""
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

# ---- 😀 section ----
ünïcode = create_engine("postgresql://localhost/😀")  # 𝔘nicode

class Holder:
	"""Indented by tabs."""

	name = "𝔘"; engine = create_engine("postgresql://localhost/𝔘", echo=True)  # 😀 after

	def commit(self, session: Session, things: list[object]) -> None:
		for thing in things:  # 😀
			session.add(thing)  # each
			session.commit()  # é

	def dependency(self):
		db = sessionmaker(self.engine)()
		yield db  # 😀


def last(x="😀", *, engine=create_engine("postgresql://localhost/default")): return engine  # no newline at the end