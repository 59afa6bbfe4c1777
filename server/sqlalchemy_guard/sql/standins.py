"""What well-known libraries bring to models, said in Python of our own: bases, mixins, column types.

The texts are interpreted by the evaluator like the user's files, never imported or run. Each says only what a table shows: the
names, types and arguments of columns. What a library decides at run time is left out, and so unknown. This module must never
hold what the library does with values.
"""

from __future__ import annotations

_FLASK_APPBUILDER = """
from sqlalchemy import Column, DateTime, ForeignKey, Integer, Text
from sqlalchemy.orm import declarative_base, declared_attr
from sqlalchemy.types import TypeDecorator

Base = declarative_base()

class Model(Base):
    __abstract__ = True
    __table_args__ = {"extend_existing": True}

class AuditMixin:
    created_on = Column(DateTime, default=lambda: None, nullable=False)
    changed_on = Column(DateTime, default=lambda: None, onupdate=lambda: None, nullable=False)

    @declared_attr
    def created_by_fk(cls):
        return Column(Integer, ForeignKey("ab_user.id"), default=lambda: None, nullable=False)

    @declared_attr
    def changed_by_fk(cls):
        return Column(Integer, ForeignKey("ab_user.id"), default=lambda: None, onupdate=lambda: None, nullable=False)

class FileColumn(TypeDecorator):
    impl = Text

class ImageColumn(TypeDecorator):
    impl = Text

    def __init__(self, thumbnail_size=None, size=None, **options):
        super().__init__(**options)
"""

_SQLALCHEMY_UTILS = """
from sqlalchemy import Column, DateTime, LargeBinary, String, types
from sqlalchemy.dialects import mssql, postgresql
from sqlalchemy.types import TypeDecorator, UserDefinedType

class UUIDType(TypeDecorator):
    impl = types.BINARY(16)

    def __init__(self, binary=True, native=True):
        self.binary = binary
        self.native = native

    def load_dialect_impl(self, dialect):
        if self.native and dialect.name in ("postgresql", "cockroachdb"):
            return postgresql.UUID()
        if self.native and dialect.name == "mssql":
            return mssql.UNIQUEIDENTIFIER()
        return types.BINARY(16) if self.binary else types.CHAR(32)

class JSONType(TypeDecorator):
    impl = types.UnicodeText

    def load_dialect_impl(self, dialect):
        return postgresql.JSON() if dialect.name == "postgresql" else types.UnicodeText()

class EmailType(TypeDecorator):
    impl = types.Unicode

    def __init__(self, length=255, *args, **options):
        super().__init__(length, *args, **options)

class ArrowType(TypeDecorator):
    impl = DateTime

    def __init__(self, *args, **options):
        super().__init__(*args, **options)

class EnrichedDateTimeType(ArrowType):
    def __init__(self, datetime_processor=None, *args, **options):
        super().__init__(*args, **options)

class URLType(TypeDecorator):
    impl = types.UnicodeText

class ChoiceType(TypeDecorator):
    impl = types.Unicode(255)

    def __init__(self, choices, impl=None):
        if impl is not None:
            self.impl = impl

class ScalarListType(TypeDecorator):
    impl = types.UnicodeText

    def __init__(self, coerce_func=None, separator=","):
        super().__init__()

class _Short(TypeDecorator):
    def __init__(self, max_length, *args, **options):
        self.impl = types.Unicode(max_length)

class ColorType(_Short):
    impl = types.Unicode(20)

    def __init__(self, max_length=20, *args, **options):
        self.impl = types.Unicode(max_length)

class IPAddressType(_Short):
    impl = types.Unicode(50)

    def __init__(self, max_length=50, *args, **options):
        self.impl = types.Unicode(max_length)

class PhoneNumberType(_Short):
    impl = types.Unicode(20)

    def __init__(self, region=None, max_length=20, *args, **options):
        self.impl = types.Unicode(max_length)

class TimezoneType(TypeDecorator):
    impl = types.Unicode(50)

    def __init__(self, backend=None):
        super().__init__()

class LocaleType(TypeDecorator):
    impl = types.Unicode(10)

class CountryType(TypeDecorator):
    impl = types.String(2)

class CurrencyType(TypeDecorator):
    impl = types.String(3)

class TSVectorType(TypeDecorator):
    impl = postgresql.TSVECTOR

    def __init__(self, *columns, **options):
        super().__init__()

class LtreeType(UserDefinedType):
    def get_col_spec(self, **options):
        return "LTREE"

class EncryptedType(TypeDecorator):
    impl = LargeBinary

    def __init__(self, type_in=None, key=None, engine=None, padding=None, **options):
        super().__init__(**options)

class StringEncryptedType(TypeDecorator):
    impl = String

    def __init__(self, type_in=None, key=None, engine=None, padding=None, **options):
        super().__init__(**options)

class Timestamp:
    created = Column(DateTime, default=lambda: None, nullable=False)
    updated = Column(DateTime, default=lambda: None, nullable=False)
"""

_GEOALCHEMY = """
from sqlalchemy.types import UserDefinedType

class _Spatial(UserDefinedType):
    kind = "geometry"

    def __init__(self, geometry_type="GEOMETRY", srid=-1, **options):
        self.geometry_type = geometry_type
        self.srid = srid

    def get_col_spec(self, **options):
        return "%s(%s,%d)" % (self.kind, self.geometry_type, self.srid) if self.geometry_type else self.kind

class Geometry(_Spatial):
    pass

class Geography(_Spatial):
    kind = "geography"
"""

_PGVECTOR = """
from sqlalchemy.types import UserDefinedType

class _Sized(UserDefinedType):
    word = "VECTOR"

    def __init__(self, dim=None):
        self.dim = dim

    def get_col_spec(self, **options):
        return self.word if self.dim is None else "%s(%d)" % (self.word, self.dim)

class VECTOR(_Sized):
    pass

class HALFVEC(_Sized):
    word = "HALFVEC"

class SPARSEVEC(_Sized):
    word = "SPARSEVEC"

Vector = VECTOR
"""

_CITEXT = """
from sqlalchemy.types import UserDefinedType

class CIText(UserDefinedType):
    def get_col_spec(self, **options):
        return "CITEXT"
"""

_SQLALCHEMY_JSON = """
from sqlalchemy import JSON

MutableJson = JSON
NestedMutableJson = JSON

def mutable_json_type(dbtype=JSON, nested=False):
    return dbtype
"""

_FASTAPI_USERS = """
from sqlalchemy import Boolean, CHAR, ForeignKey, Integer, String, TIMESTAMP
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.types import TypeDecorator
import uuid

class GUID(TypeDecorator):
    impl = CHAR(36)

    def load_dialect_impl(self, dialect):
        return postgresql.UUID() if dialect.name == "postgresql" else CHAR(36)

class TIMESTAMPAware(TypeDecorator):
    impl = TIMESTAMP

class SQLAlchemyBaseUserTable:
    __tablename__ = "user"
    email: Mapped[str] = mapped_column(String(length=320), unique=True, index=True, nullable=False)
    hashed_password: Mapped[str] = mapped_column(String(length=1024), nullable=False)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True, nullable=False)
    is_superuser: Mapped[bool] = mapped_column(Boolean, default=False, nullable=False)
    is_verified: Mapped[bool] = mapped_column(Boolean, default=False, nullable=False)

class SQLAlchemyBaseUserTableUUID(SQLAlchemyBaseUserTable):
    id: Mapped[uuid.UUID] = mapped_column(GUID, primary_key=True, default=lambda: None)

class SQLAlchemyBaseOAuthAccountTable:
    __tablename__ = "oauth_account"
    oauth_name: Mapped[str] = mapped_column(String(length=100), index=True, nullable=False)
    access_token: Mapped[str] = mapped_column(String(length=1024), nullable=False)
    expires_at: Mapped[int | None] = mapped_column(Integer, nullable=True)
    refresh_token: Mapped[str | None] = mapped_column(String(length=1024), nullable=True)
    account_id: Mapped[str] = mapped_column(String(length=320), index=True, nullable=False)
    account_email: Mapped[str] = mapped_column(String(length=320), nullable=False)

class SQLAlchemyBaseOAuthAccountTableUUID(SQLAlchemyBaseOAuthAccountTable):
    id: Mapped[uuid.UUID] = mapped_column(GUID, primary_key=True, default=lambda: None)

    @declared_attr
    def user_id(cls) -> Mapped[uuid.UUID]:
        return mapped_column(GUID, ForeignKey("user.id", ondelete="cascade"), nullable=False)
"""

_ADVANCED_ALCHEMY = """
from sqlalchemy import BINARY, DateTime
from sqlalchemy.dialects import mssql, oracle, postgresql
from sqlalchemy.types import TypeDecorator

class GUID(TypeDecorator):
    impl = BINARY(16)

    def __init__(self, *args, binary=True, **options):
        super().__init__()

    def load_dialect_impl(self, dialect):
        if dialect.name in ("postgresql", "duckdb", "cockroachdb"):
            return postgresql.UUID()
        if dialect.name == "oracle":
            return oracle.RAW(16)
        if dialect.name == "mssql":
            return mssql.UNIQUEIDENTIFIER()
        return BINARY(16)

class DateTimeUTC(TypeDecorator):
    impl = DateTime(timezone=True)
"""

_SQLMODEL = """
from sqlalchemy import DateTime, String
from sqlalchemy.types import TypeDecorator

class AutoString(TypeDecorator):
    impl = String

    def __init__(self, length=None):
        super().__init__(length)
        self.given = length

    def load_dialect_impl(self, dialect):
        return String(255) if self.given is None and dialect.name == "mysql" else String(self.given)

class UTCDateTime(TypeDecorator):
    impl = DateTime(timezone=True)
"""

_SQLALCHEMY_HELPERS = """
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

def get_base():
    return Base
"""

PREFIX = "library:"
"""How the file ids of these texts begin."""
SOURCES: dict[str, str] = {
    "flask_appbuilder": _FLASK_APPBUILDER,
    "sqlalchemy_utils": _SQLALCHEMY_UTILS,
    "geoalchemy2": _GEOALCHEMY,
    "pgvector": _PGVECTOR,
    "citext": _CITEXT,
    "sqlalchemy_citext": _CITEXT,
    "sqlalchemy_json": _SQLALCHEMY_JSON,
    "fastapi_users_db_sqlalchemy": _FASTAPI_USERS,
    "fastapi_users": _FASTAPI_USERS,
    "advanced_alchemy": _ADVANCED_ALCHEMY,
    "sqlalchemy_helpers": _SQLALCHEMY_HELPERS,
    "sqlmodel": _SQLMODEL,
}
"""The text for each library, by the name of its package; all its modules have the same names."""
