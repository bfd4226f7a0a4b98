"""The shipped schema, and what is made from it."""

from customer_segmentation.api.functions.declarations import FunctionAnswers, declare_functions
from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.api.v1.predictions.formats import formats_of
from customer_segmentation.api.v1.predictions.row import PersonReader
from customer_segmentation.domain.customer import CustomerTable
from customer_segmentation.services.runtime.current_schema import shipped_schema

SHIPPED = shipped_schema()
CUSTOMER_ID = SHIPPED.id
FEATURES = SHIPPED.attributes
COLUMNS = SHIPPED.columns
FEATURE_NAMES = SHIPPED.names
FEATURE_BY_NAME = SHIPPED.by_name
CUSTOMERS = CustomerTable(SHIPPED)

TYPES = CustomerTypes(SHIPPED)
FUNCTIONS = declare_functions(SHIPPED, TYPES, FunctionAnswers(SHIPPED))
FORMATS = formats_of(SHIPPED)
PERSON = PersonReader(SHIPPED)
