"""Flask-SQLAlchemy: the session and the models come from one object."""
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql://localhost/shop"
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"echo": False}  # tuned by nobody
db = SQLAlchemy(app)


class BlogPost(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(80), nullable=False)  # as shown
    comments = db.relationship("Comment", lazy="dynamic")
    created_at = db.Column(db.DateTime, server_default=db.func.now())
    updated_at = db.Column(db.DateTime, server_default=db.func.now(), onupdate=db.func.now())


class Comment(db.Model):
    __tablename__ = "comment"
    id = db.Column(db.Integer, primary_key=True)
    post_id = db.Column(db.ForeignKey("blog_post.id"))
    created_at = db.Column(db.DateTime, server_default=db.func.now())
    updated_at = db.Column(db.DateTime, server_default=db.func.now(), onupdate=db.func.now())


@app.route("/")
def index():
    posts = BlogPost.query.filter_by(title="x").order_by(BlogPost.id).all()  # the newest last
    first = db.session.query(BlogPost).first()
    return {"posts": [post.title for post in posts], "first": first and first.title}


@app.cli.command()
def seed():
    db.create_all()
    for title in ("a", "b"):
        db.session.add(BlogPost(title=title))
        db.session.commit()  # each
