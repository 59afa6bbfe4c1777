"""Reading the supplier's price list."""

from collections.abc import Iterable, Mapping

from shop.models import Product
from shop.repositories.products import ProductRepository

BATCH = 500


class CatalogImport:
    def __init__(self, products: ProductRepository) -> None:
        self.products = products

    def load(self, rows: Iterable[Mapping[str, str]]) -> int:
        """Take over new prices, and products that are new."""
        count = 0
        for row in rows:
            self.products.save(self._product(row))
            count += 1
        return count

    def load_large(self, rows: Iterable[Mapping[str, str]]) -> int:
        """The same for lists so long that a transaction for all of them would hold locks for minutes."""
        session = self.products.session
        count = 0
        for count, row in enumerate(rows, start=1):
            session.add(self._product(row))
            if count % BATCH == 0:
                session.commit()
        session.commit()
        return count

    def _product(self, row: Mapping[str, str]) -> Product:
        product = self.products.by_sku(row["sku"]) or Product(sku=row["sku"], stock=0)
        product.name = row["name"]
        product.price_cents = int(row["price_cents"])
        return product
