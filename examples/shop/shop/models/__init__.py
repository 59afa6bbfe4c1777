"""All models, so that the metadata is complete whoever imports it."""

from shop.models.base import Base
from shop.models.catalog import Product
from shop.models.customers import Customer
from shop.models.orders import Order, OrderLine, OrderStatus

__all__ = ["Base", "Customer", "Order", "OrderLine", "OrderStatus", "Product"]
