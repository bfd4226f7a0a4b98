"""The words by which tables' headers tell what a column is, in lower case."""

from collections.abc import Collection

from customer_segmentation.files.map.inference import words_of
from customer_segmentation.files.map.synonyms import COLUMN_NAMES

_KEYS = frozenset(
    {"id", "ids", "identifier", "number", "no", "nr", "num", "key", "code", "uuid", "guid"}
    | {"ref", "reference", "index", "idx", "pk"}
)
_PEOPLE = frozenset(
    {"customer", "client", "cust", "member", "user", "account", "card", "holder", "cardholder"}
    | {"person", "subscriber", "household", "consumer", "shopper", "guest", "policyholder"}
    | {"kunde", "kunden", "cliente", "klient", "acct", "party"}
)
_WHOLE_IDS = frozenset(
    {"clientnum", "custid", "customerid", "userid", "memberid", "clientid", "kundennummer"}
)

OUTCOMES = frozenset(
    {"churn", "churned", "attrition", "attrited", "exited", "cancelled", "canceled", "terminated"}
    | {"gekündigt", "kündigung", "storniert", "abgewandert", "lapsed"}
)
"""Anywhere in a header, they tell what became of a customer."""

WHOLE_OUTCOMES = frozenset(
    {"y", "response", "responded", "target", "label", "outcome", "class", "converted"}
    | {"conversion", "subscribed", "defaulted"}
)
"""A header that is nothing but these tells an outcome."""

_FILLERS = frozenset(
    {"flag", "label", "status", "customer", "client", "is", "has", "last", "final", "value", "yn"}
)

MODELS = frozenset(
    {"classifier", "bayes", "prediction", "predicted", "pred", "proba", "probability", "propensity"}
    | {"forecast", "cluster", "segment", "logit", "xgb", "kmeans", "posterior"}
)
"""In a header, they tell that another model made the column."""

NAMES = frozenset(
    {"name", "surname", "firstname", "lastname", "fullname", "forename", "email", "mail", "phone"}
    | {"telephone", "mobile", "fax", "address", "street", "iban", "ssn", "passport", "ip", "url"}
    | {"website", "nachname", "vorname", "nombre", "nom"}
)
"""They tell who somebody is, not what somebody is like."""

PLACES = frozenset(
    {"zip", "zipcode", "postal", "postcode", "plz", "phone", "district", "region", "branch", "code"}
    | {"type", "category", "segment", "cluster", "marital", "gender", "sex", "channel", "purpose"}
    | {"housing", "method", "contract", "state", "country", "city", "county", "group", "id"}
    | {"occupation", "status", "area", "product", "weekday"}
)
"""A number under these names something and is no quantity."""

LEVELS = frozenset(
    {"score", "rating", "level", "grade", "satisfaction", "nps", "rank", "stage", "tier", "class"}
    | {"education", "stars", "quality", "job", "skill", "priority", "risk", "likert"}
)
"""A small whole number under these is a place on a scale."""

COUNTED = frozenset(
    {"count", "ct", "trx", "txn", "times", "months", "years", "days", "weeks", "hours", "children"}
    | {"kids", "kidhome", "teenhome", "dependents", "dependent", "family", "visits", "purchases"}
    | {"logins", "tenure", "size", "orders", "items", "calls", "clicks", "number", "num", "no"}
    | {"members", "contacts", "products", "accounts", "cards", "loans", "age", "day", "month"}
    | {"year", "hour", "recency", "frequency", "visit", "purchase", "order", "cds", "duration"}
    | {"experience", "previous", "campaign", "wk"}
)
"""A whole number under these says how many."""

MONEY = frozenset(
    {"income", "balance", "amount", "amt", "price", "limit", "charge", "charges", "spend", "mnt"}
    | {"spent", "spending", "revenue", "salary", "credit", "mortgage", "debt", "payment", "bal"}
    | {"payments", "value", "cost", "purchases", "wage", "deposit", "deposits", "loan", "advance"}
    | {"turnover", "profit", "sales", "fee", "fees", "premium", "savings", "worth", "$"}
)
"""A whole number under these may have a fraction in the next row."""

_NO_AGE = frozenset({"account", "month", "months", "card", "car", "house", "vehicle", "debt"})
_AGE = frozenset({"age", "alter", "edad", "idade", "ages"})
_BIRTH = frozenset({"birth", "birthday", "birthdate", "dob", "born", "geburtsdatum", "geburtsjahr"})
_GENDER = frozenset({"gender", "sex", "geschlecht", "sexo", "sexe"})
_PROTECTED: dict[str, frozenset[str]] = {
    "gender": _GENDER,
    "age": _AGE | _BIRTH | {"senior", "elderly"},
    "marital state": frozenset({"marital", "married", "civil", "spouse", "partner", "marriage"}),
    "nationality": frozenset({"nationality", "citizen", "citizenship", "nation", "native"}),
    "religion": frozenset({"religion", "religious", "faith", "denomination", "church"}),
    "origin": frozenset({"race", "ethnicity", "ethnic", "ethnie", "skin"}),
    "health": frozenset({"disability", "disabled", "health", "handicap", "pregnant", "pregnancy"}),
    "opinion": frozenset({"political", "politics", "union", "orientation", "sexual"}),
}
_TELLING: dict[str, frozenset[str]] = {
    "gender": frozenset(
        {"male", "female", "m", "f", "man", "woman", "mr", "mrs", "ms", "diverse"}
        | {"herr", "frau", "w", "d", "männlich", "weiblich", "divers"}
    ),
    "marital state": frozenset(
        {"married", "single", "divorced", "widow", "widowed", "separated", "widower", "unmarried"}
    ),
    "religion": frozenset(
        {"christian", "muslim", "jewish", "hindu", "buddhist", "catholic", "protestant", "islam"}
        | {"orthodox", "sikh", "atheist"}
    ),
    "nationality": frozenset(
        {"german", "french", "italian", "spanish", "british", "american", "turkish", "polish"}
        | {"chinese", "indian", "dutch", "russian"}
    ),
}


def words_in(header: str) -> frozenset[str]:
    """Return the words of a header, also those that a figure is joined to."""
    return frozenset(word.rstrip("0123456789") or word for word in words_of(header))


def id_likeness(header: str) -> int:
    """Return how much a header sounds like the key of a customer, from 0 to 3."""
    words = words_in(header)
    plain = " ".join(words_of(header))
    if words & _WHOLE_IDS or plain in {*COLUMN_NAMES["customer_id"]} - {"customer", "client"}:
        return 3
    if words & _PEOPLE and words & _KEYS:
        return 3
    if words and words <= _PEOPLE:
        return 2
    return 1 if words & (_KEYS - {"code"}) or not words else 0


def is_outcome(header: str) -> bool:
    """Tell whether a header speaks of what became of a customer."""
    words = words_in(header)
    told = words - _FILLERS or words
    return bool(words & OUTCOMES) or (bool(told) and told <= WHOLE_OUTCOMES)


def is_of_model(header: str) -> bool:
    """Tell whether a header says that another model made the column."""
    words = words_in(header)
    return bool(words & MODELS) or {"model", "score"} <= words


def is_age(header: str) -> bool:
    """Tell whether a header speaks of the age of a person."""
    words = words_in(header)
    return bool(words & _AGE) and not words & _NO_AGE


def is_birth(header: str) -> bool:
    """Tell whether a header speaks of when somebody was born."""
    return bool(words_in(header) & _BIRTH)


def protected_as(header: str, values: Collection[str]) -> str:
    """Return what a column tells that the law may protect; empty where it is nothing such.

    Args:
        header: of the column.
        values: its categories, in lower case; none where it holds numbers.
    """
    words = words_in(header)
    for what, names in _PROTECTED.items():
        if words & names and not (what == "age" and not is_birth(header) and words & _NO_AGE):
            return what
    for what, telling in _TELLING.items():
        known = telling & set(values)
        if len(known) >= 2 and (what != "gender" or len(known) >= len(values) - 1):
            return what
    return ""
