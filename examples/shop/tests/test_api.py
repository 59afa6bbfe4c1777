from fastapi.testclient import TestClient

ADA = "ada@example.org"


def test_catalogue(client: TestClient) -> None:
    assert [p["name"] for p in client.get("/products").json()] == ["Kettle", "Tea", "Teapot"]
    assert [p["sku"] for p in client.get("/products", params={"term": "tea"}).json()] == ["T3", "T2"]
    assert [p["sku"] for p in client.get("/products", params={"max_price_cents": 1500}).json()] == ["T1"]
    assert [p["sku"] for p in client.get("/products/cheapest", params={"limit": 2}).json()] == ["T1", "T2"]
    assert client.get("/products/T2").json()["price_cents"] == 2000
    assert client.get("/products/T9").status_code == 404


def test_order(client: TestClient) -> None:
    first = client.post("/orders", json={"email": ADA, "basket": {"1": 2, "3": 1}})
    second = client.post("/orders", json={"email": ADA, "basket": {"2": 1}})
    assert (first.status_code, second.status_code) == (201, 201)
    assert client.get("/products/T1").json()["stock"] == 8
    assert client.get("/orders/recent", params={"email": ADA}).json() == [
        second.json()["id"],
        first.json()["id"],
    ]
    assert client.get("/orders/turnover").json() == {"open": 7000}


def test_refused_orders(client: TestClient) -> None:
    assert client.post("/orders", json={"email": "nobody@example.org", "basket": {}}).status_code == 404
    assert client.post("/orders", json={"email": ADA, "basket": {"2": 3, "1": 11}}).status_code == 409
    assert client.get("/products/T2").json()["stock"] == 10
