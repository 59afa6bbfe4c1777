from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()

tags = db.Table(
    "post_tags",
    db.Column("post_id", db.ForeignKey("blog_post.id"), primary_key=True),
    db.Column("tag_id", db.Integer, db.ForeignKey("tag.id"), primary_key=True),
)


class BaseModel(db.Model):
    __abstract__ = True
    id = db.Column(db.Integer, primary_key=True)


class BlogPost(BaseModel):
    title = db.Column(db.String(80), unique=True, nullable=False)
    tags = db.relationship(
        "Tag", secondary=tags, backref=db.backref("posts", lazy="dynamic"), lazy="subquery"
    )
    kind = db.Column(db.Enum("a", "b", name="kind"))
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "a"}


class SpecialPost(BlogPost):
    __mapper_args__ = {"polymorphic_identity": "b"}
    extra = db.Column(db.Text)


class Tag(db.Model):
    id: db.Mapped[int] = db.mapped_column(primary_key=True)
    HTTPName: db.Mapped[str | None]


class HTTPServerLog(BaseModel):
    pass


metadata = db.metadata
