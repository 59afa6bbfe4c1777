"""What the application does, far from where the session is made."""

from sqlalchemy import select

from shop import models
from shop.database import SessionLocal
from shop.models import Customer as C


class Repository:
    def __init__(self, session=None):
        self.session = session or SessionLocal()

    def all(self):
        return self.session.query(C).order_by(C.name).all()

    def rename(self, customer, name):
        customer.name = name
        self.session.commit()

    def invoices(self, customer):
        return self.session.execute(select(models.Invoice).filter_by(customer=customer)).scalars().all()


def rename_all(repository: Repository, names: dict[int, str]):
    for customer in repository.all():
        if customer.id in names:  # only these
            repository.rename(customer, names[customer.id])
