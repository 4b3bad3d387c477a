//! What can be said of things: attributes with the ways in which people say and ask them.

use crate::names::{Name, Value};

/// Something that things of a topic have.
pub(crate) struct Attribute {
    /// What it is called; the same thing in other words.
    pub(crate) nouns: &'static [&'static str],
    pub(crate) value: Value,
    /// Sentences that say it of `{e}` with the value `{v}`.
    pub(crate) says: &'static [&'static str],
    /// Questions for the value.
    pub(crate) asks: &'static [&'static str],
}

/// A kind of thing.
pub(crate) struct Topic {
    pub(crate) kind: &'static str,
    pub(crate) name: Name,
    pub(crate) pronoun: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

const fn a(
    nouns: &'static [&'static str],
    value: Value,
    says: &'static [&'static str],
    asks: &'static [&'static str],
) -> Attribute {
    Attribute {
        nouns,
        value,
        says,
        asks,
    }
}

const PRICE: Attribute = a(
    &["price", "cost", "selling price", "retail price"],
    Value::Price,
    &[
        "{e} costs {v}.",
        "you pay {v} for {e}.",
        "{e} is sold for {v}.",
        "{e} is available for {v}.",
        "one can buy {e} for {v}.",
        "the shop asks {v} for {e}.",
        "at {v}, {e} is a good choice.",
        "customers get {e} for only {v}.",
        "{e} will set you back {v}.",
    ],
    &[
        "how much does {e} cost?",
        "how much is {e}?",
        "what does {e} cost?",
        "what do I pay for {e}?",
        "how much do you have to pay for {e}?",
        "for how much is {e} sold?",
        "how expensive is {e}?",
    ],
);
const WEIGHT: Attribute = a(
    &["weight", "total weight", "mass"],
    Value::Weight,
    &[
        "{e} weighs {v}.",
        "{e} is {v} in weight.",
        "put on a scale, {e} shows {v}.",
        "{e} brings {v} to the scales.",
    ],
    &[
        "how much does {e} weigh?",
        "how heavy is {e}?",
        "what does {e} weigh?",
    ],
);
const COLOUR: Attribute = a(
    &["colour", "color", "main colour"],
    Value::Colour,
    &[
        "{e} is {v}.",
        "{e} was painted {v}.",
        "{e} comes in {v}.",
        "everyone knows {e} by its {v} colour.",
    ],
    &[
        "what colour is {e}?",
        "which colour does {e} have?",
        "what color is {e}?",
        "in which colour is {e} painted?",
    ],
);
const OPENED: Attribute = a(
    &["opening date", "date of opening", "founding date"],
    Value::Date,
    &[
        "{e} opened on {v}.",
        "{e} was founded on {v}.",
        "since {v}, {e} has been open.",
        "{e} has existed since {v}.",
    ],
    &[
        "when did {e} open?",
        "when was {e} founded?",
        "since when has {e} existed?",
        "on what date did {e} open?",
    ],
);
const OWNER: Attribute = a(
    &["owner", "proprietor"],
    Value::Person,
    &[
        "{e} belongs to {v}.",
        "{v} owns {e}.",
        "{e} is owned by {v}.",
        "{e} is in the hands of {v}.",
    ],
    &[
        "who owns {e}?",
        "to whom does {e} belong?",
        "who is the owner of {e}?",
        "whose property is {e}?",
    ],
);
const HOURS: Attribute = a(
    &["opening hours", "hours", "opening times"],
    Value::Hours,
    &[
        "{e} is open {v}.",
        "you can visit {e} {v}.",
        "doors are open {v} at {e}.",
        "{e} welcomes people {v}.",
    ],
    &[
        "when is {e} open?",
        "what are the opening hours of {e}?",
        "at what times can I visit {e}?",
    ],
);
const LOCATION: Attribute = a(
    &["location", "address", "place"],
    Value::Place,
    &[
        "{e} is in {v}.",
        "{e} is located in {v}.",
        "{e} can be found in {v}.",
        "you will find {e} in {v}.",
        "{e} lies in {v}.",
        "{e} stands in {v}.",
    ],
    &[
        "where is {e}?",
        "where can I find {e}?",
        "where is {e} located?",
        "in which place is {e}?",
    ],
);
const EMAIL: Attribute = a(
    &["email address", "email", "contact address"],
    Value::Email,
    &[
        "{e} can be reached at {v}.",
        "write to {v} to reach {e}.",
        "mails for {e} go to {v}.",
        "contact {e} at {v}.",
    ],
    &[
        "how can I reach {e}?",
        "where do I write to reach {e}?",
        "what is the mail address of {e}?",
    ],
);
const PHONE: Attribute = a(
    &["phone number", "telephone number", "number"],
    Value::Phone,
    &[
        "call {v} to speak to {e}.",
        "{e} answers the phone at {v}.",
        "{e} can be called on {v}.",
    ],
    &[
        "what number do I call to reach {e}?",
        "on what number can {e} be called?",
    ],
);
const MANAGER: Attribute = a(
    &["manager", "head", "director", "leader"],
    Value::Person,
    &[
        "{e} is run by {v}.",
        "{v} leads {e}.",
        "{v} is in charge of {e}.",
        "{e} is headed by {v}.",
        "the person who manages {e} is {v}.",
        "{v} took over {e} last year.",
    ],
    &[
        "who runs {e}?",
        "who is in charge of {e}?",
        "who leads {e}?",
        "who manages {e}?",
        "who is responsible for {e}?",
    ],
);
const LENGTH: Attribute = a(
    &["length", "total length"],
    Value::Length,
    &[
        "{e} is {v} long.",
        "{e} measures {v} from end to end.",
        "{e} has a length of {v}.",
    ],
    &["how long is {e}?", "what does {e} measure?"],
);
const HEIGHT: Attribute = a(
    &["height"],
    Value::Length,
    &[
        "{e} is {v} high.",
        "{e} rises to {v}.",
        "{e} reaches a height of {v}.",
        "{e} stands {v} tall.",
    ],
    &["how high is {e}?", "how tall is {e}?"],
);
const WARRANTY: Attribute = a(
    &["warranty", "guarantee", "warranty period"],
    Value::Duration,
    &[
        "{e} is covered for {v}.",
        "if {e} fails within {v}, it is replaced.",
        "{e} comes with {v} of warranty.",
    ],
    &[
        "how long is {e} covered?",
        "how long does the warranty of {e} last?",
        "for how long is {e} guaranteed?",
    ],
);
const PEOPLE: Attribute = a(
    &["capacity", "number of seats"],
    Value::Count,
    &[
        "{e} holds {v} people.",
        "{e} has room for {v} people.",
        "{e} seats {v}.",
        "up to {v} people fit into {e}.",
    ],
    &[
        "how many people fit into {e}?",
        "how many people does {e} hold?",
        "how many seats does {e} have?",
    ],
);
const STAFF: Attribute = a(
    &["number of employees", "staff size", "headcount"],
    Value::Count,
    &[
        "{e} employs {v} people.",
        "{v} people work for {e}.",
        "{e} has {v} employees.",
    ],
    &[
        "how many people work for {e}?",
        "how many people does {e} employ?",
        "how many employees does {e} have?",
    ],
);
const MADE_OF: Attribute = a(
    &["material"],
    Value::Material,
    &[
        "{e} is made of {v}.",
        "{e} was built from {v}.",
        "{e} consists of {v}.",
        "the maker uses {v} for {e}.",
    ],
    &[
        "what is {e} made of?",
        "from which material was {e} built?",
        "of what does {e} consist?",
    ],
);
const MAKER: Attribute = a(
    &["maker", "manufacturer", "producer"],
    Value::Company,
    &[
        "{e} is made by {v}.",
        "{v} makes {e}.",
        "{e} comes from {v}.",
        "{v} is the company behind {e}.",
        "{e} is produced by {v}.",
    ],
    &[
        "who makes {e}?",
        "which company makes {e}?",
        "who produces {e}?",
        "what company is behind {e}?",
    ],
);
const POWER: Attribute = a(
    &["power", "power consumption"],
    Value::Power,
    &[
        "{e} needs {v}.",
        "{e} uses {v}.",
        "{e} draws {v} when it runs.",
    ],
    &[
        "how much power does {e} need?",
        "how much power does {e} use?",
    ],
);
const SPEED: Attribute = a(
    &["top speed", "speed", "maximum speed"],
    Value::Speed,
    &[
        "{e} reaches {v}.",
        "{e} can go as fast as {v}.",
        "{e} travels at {v}.",
        "{e} never goes faster than {v}.",
    ],
    &["how fast is {e}?", "how fast can {e} go?"],
);
const START: Attribute = a(
    &["start time", "starting time", "beginning"],
    Value::Time,
    &[
        "{e} starts at {v}.",
        "{e} begins at {v}.",
        "at {v}, {e} gets going.",
        "come before {v}, when {e} begins.",
    ],
    &[
        "when does {e} start?",
        "at what time does {e} begin?",
        "what time does {e} start?",
    ],
);
const DAY: Attribute = a(
    &["day", "weekday"],
    Value::Weekday,
    &[
        "{e} takes place on {v}.",
        "{e} is on {v}.",
        "{e} is held every {v}.",
        "{v} is the day for {e}.",
    ],
    &[
        "on which day is {e}?",
        "on what day does {e} take place?",
        "which day is {e} held?",
    ],
);
const DATE: Attribute = a(
    &["date"],
    Value::Date,
    &[
        "{e} is planned for {v}.",
        "{e} takes place on {v}.",
        "{v} is the date of {e}.",
        "{e} will be held on {v}.",
    ],
    &[
        "when is {e}?",
        "when does {e} take place?",
        "on what date is {e}?",
        "when will {e} be held?",
    ],
);

pub(crate) const TOPICS: &[Topic] = &[
    Topic {
        kind: "person",
        name: Name::Person,
        pronoun: "they",
        attributes: &[
            a(
                &["job", "profession", "occupation"],
                Value::Job,
                &[
                    "{e} works as a {v}.",
                    "{e} is a {v}.",
                    "{e} earns a living as a {v}.",
                    "by profession {e} is a {v}.",
                    "{e} has been a {v} for years.",
                ],
                &[
                    "what does {e} do for a living?",
                    "what is {e}'s job?",
                    "what does {e} work as?",
                    "what is {e} by profession?",
                ],
            ),
            a(
                &["home town", "place of residence", "city"],
                Value::Place,
                &[
                    "{e} lives in {v}.",
                    "{e} has a house in {v}.",
                    "{e} moved to {v}.",
                    "{e} is at home in {v}.",
                ],
                &[
                    "where does {e} live?",
                    "in which city does {e} live?",
                    "where is {e} at home?",
                ],
            ),
            a(
                &["birthplace", "place of birth"],
                Value::Place,
                &[
                    "{e} was born in {v}.",
                    "{e} comes from {v}.",
                    "{e} grew up in {v}.",
                ],
                &[
                    "where was {e} born?",
                    "where does {e} come from?",
                    "where is {e} from?",
                ],
            ),
            a(
                &["birthday", "date of birth"],
                Value::Date,
                &["{e} was born on {v}.", "{e} celebrates a birthday on {v}."],
                &["when was {e} born?", "when is {e}'s birthday?"],
            ),
            a(
                &["employer", "company"],
                Value::Company,
                &[
                    "{e} works for {v}.",
                    "{e} is employed by {v}.",
                    "{v} hired {e}.",
                    "{e} joined {v}.",
                ],
                &[
                    "who does {e} work for?",
                    "where does {e} work?",
                    "which company employs {e}?",
                    "which company hired {e}?",
                ],
            ),
            a(
                &["pet"],
                Value::Animal,
                &[
                    "{e} has a {v}.",
                    "{e} keeps a {v}.",
                    "{e} walks a {v} every day.",
                ],
                &[
                    "what pet does {e} have?",
                    "which animal does {e} keep?",
                    "what animal does {e} have?",
                ],
            ),
            a(
                &["favourite food", "favourite dish"],
                Value::Food,
                &[
                    "{e} likes {v} most.",
                    "{e} loves to eat {v}.",
                    "{e} could eat {v} every day.",
                ],
                &["what does {e} like to eat?", "what food does {e} love?"],
            ),
            a(
                &["native language", "mother tongue"],
                Value::Language,
                &[
                    "{e} speaks {v} at home.",
                    "{e} grew up speaking {v}.",
                    "{e} learned {v} as a child.",
                ],
                &[
                    "what language does {e} speak at home?",
                    "which language did {e} grow up speaking?",
                ],
            ),
            a(
                &["age"],
                Value::Count,
                &["{e} is {v} years old.", "{e} turned {v} this year."],
                &["how old is {e}?", "what is the age of {e}?"],
            ),
            a(
                &["field of study", "subject"],
                Value::Subject,
                &[
                    "{e} studied {v}.",
                    "{e} has a degree in {v}.",
                    "{e} teaches {v}.",
                ],
                &[
                    "what did {e} study?",
                    "in which subject does {e} have a degree?",
                ],
            ),
            a(
                &["boss", "supervisor"],
                Value::Person,
                &[
                    "{e} reports to {v}.",
                    "{v} supervises {e}.",
                    "{e} has {v} as a boss.",
                ],
                &[
                    "who is {e}'s boss?",
                    "to whom does {e} report?",
                    "who supervises {e}?",
                ],
            ),
            a(
                &["office", "room"],
                Value::Code,
                &["{e} sits in room {v}.", "you find {e} in room {v}."],
                &[
                    "in which room does {e} sit?",
                    "in what room can I find {e}?",
                ],
            ),
            a(
                &["salary", "pay"],
                Value::Price,
                &[
                    "{e} earns {v} a week.",
                    "{e} is paid {v} a day.",
                    "{e} makes {v} a month.",
                ],
                &["how much does {e} earn?", "how much is {e} paid?"],
            ),
            EMAIL,
            PHONE,
        ],
    },
    Topic {
        kind: "product",
        name: Name::Product,
        pronoun: "it",
        attributes: &[
            PRICE,
            WEIGHT,
            COLOUR,
            WARRANTY,
            MADE_OF,
            MAKER,
            POWER,
            LENGTH,
            a(
                &["battery life", "running time"],
                Value::Duration,
                &[
                    "{e} runs for {v} on one charge.",
                    "the battery of {e} lasts {v}.",
                    "{e} works {v} without charging.",
                ],
                &[
                    "how long does the battery of {e} last?",
                    "how long does {e} run on one charge?",
                ],
            ),
            a(
                &["release date", "launch date"],
                Value::Date,
                &[
                    "{e} was released on {v}.",
                    "{e} came onto the market on {v}.",
                    "{e} has been sold since {v}.",
                ],
                &[
                    "when was {e} released?",
                    "when did {e} come onto the market?",
                ],
            ),
            a(
                &["memory", "storage"],
                Value::Storage,
                &[
                    "{e} can store {v}.",
                    "{e} has {v} of memory.",
                    "there is room for {v} on {e}.",
                ],
                &["how much can {e} store?", "how much memory does {e} have?"],
            ),
            a(
                &["discount", "price reduction"],
                Value::Percent,
                &[
                    "{e} is {v} off this week.",
                    "members get {v} off {e}.",
                    "{e} is reduced by {v}.",
                ],
                &[
                    "how much is {e} reduced?",
                    "by how much is {e} reduced?",
                    "what discount is there on {e}?",
                ],
            ),
            a(
                &["serial number", "part number", "order number"],
                Value::Code,
                &["{e} is ordered under {v}.", "the back of {e} says {v}."],
                &["under which number is {e} ordered?"],
            ),
            a(
                &["delivery time", "shipping time"],
                Value::Duration,
                &[
                    "{e} is delivered within {v}.",
                    "{e} arrives after {v}.",
                    "it takes {v} until {e} arrives.",
                ],
                &[
                    "how long does it take to deliver {e}?",
                    "how fast is {e} delivered?",
                    "how long until {e} arrives?",
                ],
            ),
        ],
    },
    Topic {
        kind: "company",
        name: Name::Company,
        pronoun: "it",
        attributes: &[
            MANAGER,
            STAFF,
            OPENED,
            EMAIL,
            PHONE,
            OWNER,
            a(
                &["headquarters", "head office", "seat"],
                Value::Place,
                &[
                    "{e} is based in {v}.",
                    "{e} has its head office in {v}.",
                    "{e} runs its business from {v}.",
                ],
                &[
                    "where is {e} based?",
                    "where does {e} have its head office?",
                ],
            ),
            a(
                &["founder"],
                Value::Person,
                &[
                    "{e} was founded by {v}.",
                    "{v} founded {e}.",
                    "{v} started {e} in a garage.",
                    "{e} goes back to {v}.",
                ],
                &[
                    "who founded {e}?",
                    "who started {e}?",
                    "by whom was {e} founded?",
                ],
            ),
            a(
                &["founding year", "year of foundation"],
                Value::Year,
                &[
                    "{e} was founded in {v}.",
                    "{e} has been in business since {v}.",
                    "in {v}, {e} was set up.",
                ],
                &[
                    "in which year was {e} founded?",
                    "when was {e} founded?",
                    "since when has {e} been in business?",
                ],
            ),
            a(
                &["revenue", "turnover", "annual sales"],
                Value::Price,
                &[
                    "{e} took in {v} last year.",
                    "{e} made {v} in sales.",
                    "{e} reported sales of {v}.",
                ],
                &[
                    "how much did {e} take in?",
                    "how much did {e} make in sales?",
                ],
            ),
            a(
                &["market share"],
                Value::Percent,
                &[
                    "{e} holds {v} of the market.",
                    "{v} of all customers buy from {e}.",
                ],
                &["how much of the market does {e} hold?"],
            ),
            a(
                &["website", "web address"],
                Value::Web,
                &[
                    "{e} can be found on the web at {v}.",
                    "visit {v} to learn more about {e}.",
                ],
                &[
                    "what is the website of {e}?",
                    "where can I find {e} on the web?",
                ],
            ),
            a(
                &["main product", "best-selling product"],
                Value::Thing,
                &["{e} is known for {v}.", "{e} sells {v} above all."],
                &["what is {e} known for?", "what does {e} sell above all?"],
            ),
        ],
    },
    Topic {
        kind: "medicine",
        name: Name::Medicine,
        pronoun: "it",
        attributes: &[
            a(
                &["dose", "dosage", "recommended dose", "daily dose"],
                Value::Dose,
                &[
                    "adults take {v} of {e}.",
                    "take {e} as follows: {v}.",
                    "doctors recommend {v} of {e}.",
                    "{e} is given at {v}.",
                ],
                &[
                    "how much {e} should adults take?",
                    "how should {e} be taken?",
                    "how much {e} is recommended?",
                    "what dose of {e} do doctors recommend?",
                ],
            ),
            a(
                &["storage temperature"],
                Value::Temperature,
                &[
                    "keep {e} below {v}.",
                    "{e} must be stored below {v}.",
                    "{e} spoils above {v}.",
                ],
                &[
                    "at what temperature should {e} be stored?",
                    "how cold must {e} be kept?",
                ],
            ),
            a(
                &["shelf life"],
                Value::Duration,
                &[
                    "{e} keeps for {v}.",
                    "use {e} within {v} after opening.",
                    "{e} can be used for {v}.",
                ],
                &["how long does {e} keep?", "how long can {e} be used?"],
            ),
            a(
                &["interval"],
                Value::Duration,
                &[
                    "wait {v} between two doses of {e}.",
                    "leave {v} before taking {e} again.",
                ],
                &[
                    "how long should I wait between two doses of {e}?",
                    "when can I take {e} again?",
                ],
            ),
            MAKER,
            PRICE,
            a(
                &["active ingredient", "active substance"],
                Value::Code,
                &["{e} contains {v}.", "{e} works through {v}."],
                &[
                    "what does {e} contain?",
                    "through which substance does {e} work?",
                ],
            ),
            a(
                &["age limit", "minimum age"],
                Value::Count,
                &[
                    "children under {v} must not take {e}.",
                    "{e} is for people over {v}.",
                    "{e} is not for anyone younger than {v}.",
                ],
                &[
                    "from what age can {e} be taken?",
                    "who is too young for {e}?",
                ],
            ),
        ],
    },
    Topic {
        kind: "place",
        name: Name::Place,
        pronoun: "it",
        attributes: &[
            a(
                &["population", "number of inhabitants"],
                Value::Count,
                &[
                    "{e} has {v} inhabitants.",
                    "{v} people live in {e}.",
                    "{e} is home to {v} people.",
                ],
                &[
                    "how many people live in {e}?",
                    "how many inhabitants does {e} have?",
                ],
            ),
            a(
                &["mayor"],
                Value::Person,
                &[
                    "the mayor of {e} is {v}.",
                    "{v} was elected mayor of {e}.",
                    "{e} is governed by {v}.",
                ],
                &[
                    "who is the mayor of {e}?",
                    "who was elected mayor of {e}?",
                    "who governs {e}?",
                ],
            ),
            a(
                &["average temperature", "temperature"],
                Value::Temperature,
                &["it is {v} in {e} on average.", "{e} has {v} in summer."],
                &[
                    "how warm is it in {e}?",
                    "what temperature does {e} have in summer?",
                ],
            ),
            a(
                &["distance to the coast", "distance to the sea"],
                Value::Length,
                &[
                    "{e} lies {v} from the sea.",
                    "from {e} it is {v} to the coast.",
                ],
                &[
                    "how far is {e} from the sea?",
                    "how far is it from {e} to the coast?",
                ],
            ),
            a(
                &["official language", "main language"],
                Value::Language,
                &["people in {e} speak {v}.", "{v} is spoken in {e}."],
                &[
                    "what language is spoken in {e}?",
                    "what do people in {e} speak?",
                ],
            ),
            a(
                &["area code", "postal code", "postcode"],
                Value::Code,
                &["letters to {e} carry the code {v}."],
                &["which code do letters to {e} carry?"],
            ),
            a(
                &["famous dish", "local dish"],
                Value::Food,
                &[
                    "{e} is famous for its {v}.",
                    "visitors to {e} should try the {v}.",
                ],
                &[
                    "what is {e} famous for?",
                    "what should visitors to {e} try?",
                ],
            ),
            HEIGHT,
        ],
    },
    Topic {
        kind: "room",
        name: Name::Room,
        pronoun: "it",
        attributes: &[
            PEOPLE,
            COLOUR,
            HOURS,
            a(
                &["floor"],
                Value::Count,
                &[
                    "{e} is on floor {v}.",
                    "take the lift to floor {v} for {e}.",
                ],
                &["on which floor is {e}?", "on what floor is {e}?"],
            ),
            a(
                &["door code", "access code"],
                Value::Code,
                &["type {v} to enter {e}.", "{e} opens with the code {v}."],
                &["which code opens {e}?", "how do I open {e}?"],
            ),
            a(
                &["contact", "person responsible"],
                Value::Person,
                &[
                    "ask {v} about {e}.",
                    "{v} looks after {e}.",
                    "{v} has the key to {e}.",
                ],
                &[
                    "who looks after {e}?",
                    "whom do I ask about {e}?",
                    "who has the key to {e}?",
                ],
            ),
            a(
                &["rent", "rental fee"],
                Value::Price,
                &["{e} can be rented for {v}.", "renting {e} costs {v}."],
                &[
                    "how much is it to rent {e}?",
                    "for how much can {e} be rented?",
                ],
            ),
        ],
    },
    Topic {
        kind: "option",
        name: Name::Option,
        pronoun: "it",
        attributes: &[
            a(
                &["default", "default value"],
                Value::Setting,
                &[
                    "{e} defaults to {v}.",
                    "if {e} is not given, {v} is used.",
                    "unless set, {e} is {v}.",
                    "without {e}, the program assumes {v}.",
                    "{e} is {v} by default.",
                ],
                &[
                    "what does {e} default to?",
                    "what is used if {e} is not given?",
                    "what is {e} by default?",
                    "what is the default of {e}?",
                ],
            ),
            a(
                &["maximum", "largest value", "upper limit"],
                Value::Setting,
                &[
                    "{e} can be at most {v}.",
                    "{e} must not exceed {v}.",
                    "values of {e} above {v} are refused.",
                ],
                &[
                    "how large can {e} be?",
                    "what is the most that {e} can be?",
                    "what must {e} not exceed?",
                ],
            ),
            a(
                &["minimum", "smallest value", "lower limit"],
                Value::Setting,
                &["{e} must be at least {v}.", "{e} cannot be less than {v}."],
                &["how small can {e} be?", "what must {e} be at least?"],
            ),
            a(
                &["version", "first version"],
                Value::Version,
                &[
                    "{e} was added in {v}.",
                    "{e} has been available since {v}.",
                    "you need {v} or later to use {e}.",
                ],
                &[
                    "since which version is {e} available?",
                    "when was {e} added?",
                    "which version is needed to use {e}?",
                ],
            ),
            a(
                &["short form", "abbreviation"],
                Value::Code,
                &[
                    "{e} can be written {v}.",
                    "instead of {e} one may type {v}.",
                ],
                &[
                    "how can {e} be written shortly?",
                    "what may one type instead of {e}?",
                ],
            ),
            a(
                &["section", "config section"],
                Value::Setting,
                &[
                    "{e} belongs in {v}.",
                    "put {e} into {v}.",
                    "{e} is read from {v}.",
                ],
                &[
                    "where does {e} belong?",
                    "where do I put {e}?",
                    "from where is {e} read?",
                ],
            ),
        ],
    },
    Topic {
        kind: "course",
        name: Name::Course,
        pronoun: "it",
        attributes: &[
            START,
            DAY,
            PRICE,
            a(
                &["teacher", "lecturer", "instructor"],
                Value::Person,
                &[
                    "{e} is taught by {v}.",
                    "{v} teaches {e}.",
                    "{v} gives {e} this year.",
                ],
                &[
                    "who teaches {e}?",
                    "by whom is {e} taught?",
                    "who gives {e}?",
                ],
            ),
            a(
                &["room", "classroom"],
                Value::Code,
                &["{e} meets in room {v}.", "{e} is held in room {v}."],
                &["where is {e} held?", "in which room does {e} meet?"],
            ),
            a(
                &["number of participants", "class size"],
                Value::Count,
                &[
                    "{v} people take {e}.",
                    "{e} has {v} participants.",
                    "{v} students signed up for {e}.",
                ],
                &[
                    "how many people take {e}?",
                    "how many students signed up for {e}?",
                ],
            ),
            a(
                &["duration", "length"],
                Value::Duration,
                &["{e} lasts {v}.", "{e} takes {v}.", "after {v}, {e} ends."],
                &["how long does {e} last?", "how long does {e} take?"],
            ),
            a(
                &["deadline", "registration deadline", "closing date"],
                Value::Date,
                &[
                    "register for {e} by {v}.",
                    "one can sign up for {e} until {v}.",
                    "{v} is the last day to join {e}.",
                ],
                &[
                    "by when must I register for {e}?",
                    "until when can one sign up for {e}?",
                    "what is the last day to join {e}?",
                ],
            ),
            a(
                &["pass mark"],
                Value::Percent,
                &["to pass {e}, {v} is needed.", "{v} is enough to pass {e}."],
                &["how much is needed to pass {e}?"],
            ),
        ],
    },
    Topic {
        kind: "event",
        name: Name::Event,
        pronoun: "it",
        attributes: &[
            DATE,
            START,
            LOCATION,
            PRICE,
            MANAGER,
            a(
                &["number of visitors", "attendance"],
                Value::Count,
                &[
                    "{v} people came to {e}.",
                    "{e} drew {v} visitors.",
                    "{e} was attended by {v} people.",
                ],
                &[
                    "how many people came to {e}?",
                    "how many visitors did {e} draw?",
                ],
            ),
            a(
                &["sponsor"],
                Value::Company,
                &[
                    "{e} is sponsored by {v}.",
                    "{v} pays for {e}.",
                    "{e} is made possible by {v}.",
                ],
                &[
                    "who sponsors {e}?",
                    "who pays for {e}?",
                    "which company sponsors {e}?",
                ],
            ),
            a(
                &["winner"],
                Value::Person,
                &[
                    "{v} won {e}.",
                    "{e} was won by {v}.",
                    "first place in {e} went to {v}.",
                    "{v} came first in {e}.",
                ],
                &[
                    "who won {e}?",
                    "who came first in {e}?",
                    "to whom went first place in {e}?",
                ],
            ),
            a(
                &["prize", "prize money"],
                Value::Price,
                &[
                    "the winner of {e} gets {v}.",
                    "{v} goes to the best of {e}.",
                ],
                &[
                    "how much does the winner of {e} get?",
                    "what can be won at {e}?",
                ],
            ),
            a(
                &["guest speaker", "speaker"],
                Value::Person,
                &["{v} will speak at {e}.", "{e} opens with a talk by {v}."],
                &["who will speak at {e}?", "who gives a talk at {e}?"],
            ),
        ],
    },
    Topic {
        kind: "policy",
        name: Name::Policy,
        pronoun: "it",
        attributes: &[
            a(
                &["notice period", "period of notice"],
                Value::Duration,
                &[
                    "{e} can be ended with {v} notice.",
                    "to leave {e}, give notice {v} before.",
                ],
                &[
                    "how much notice is needed to end {e}?",
                    "with how much notice can {e} be ended?",
                ],
            ),
            a(
                &["monthly fee", "fee", "contribution"],
                Value::Price,
                &[
                    "{e} costs {v} a month.",
                    "members pay {v} under {e}.",
                    "{v} is due every month for {e}.",
                ],
                &[
                    "how much does {e} cost a month?",
                    "how much do members pay under {e}?",
                ],
            ),
            a(
                &["coverage limit", "limit", "maximum payout"],
                Value::Price,
                &[
                    "{e} pays up to {v}.",
                    "{e} covers damage of up to {v}.",
                    "no more than {v} is paid under {e}.",
                ],
                &[
                    "how much does {e} pay at most?",
                    "up to what amount does {e} cover damage?",
                ],
            ),
            a(
                &["return period", "return window"],
                Value::Duration,
                &[
                    "under {e}, goods can be returned within {v}.",
                    "{e} allows returns for {v}.",
                    "{e} gives customers {v} to send things back.",
                ],
                &[
                    "how long can goods be returned under {e}?",
                    "how much time does {e} give to send things back?",
                ],
            ),
            a(
                &["number of vacation days", "vacation", "days off"],
                Value::Count,
                &[
                    "{e} grants {v} days of vacation.",
                    "staff get {v} days off under {e}.",
                ],
                &[
                    "how many days of vacation does {e} grant?",
                    "how many days off do staff get under {e}?",
                ],
            ),
            a(
                &["effective date", "start date"],
                Value::Date,
                &[
                    "{e} applies from {v}.",
                    "{e} comes into force on {v}.",
                    "from {v} on, {e} is valid.",
                ],
                &[
                    "from when does {e} apply?",
                    "when does {e} come into force?",
                    "from when is {e} valid?",
                ],
            ),
            a(
                &["end date", "expiry date"],
                Value::Date,
                &[
                    "{e} ends on {v}.",
                    "{e} runs until {v}.",
                    "{e} expires on {v}.",
                ],
                &[
                    "when does {e} end?",
                    "until when does {e} run?",
                    "when does {e} expire?",
                ],
            ),
            a(
                &["author"],
                Value::Person,
                &[
                    "{e} was written by {v}.",
                    "{v} wrote {e}.",
                    "{v} drafted {e}.",
                ],
                &[
                    "who wrote {e}?",
                    "by whom was {e} written?",
                    "who drafted {e}?",
                ],
            ),
            EMAIL,
        ],
    },
    Topic {
        kind: "ship",
        name: Name::Ship,
        pronoun: "she",
        attributes: &[
            SPEED,
            LENGTH,
            PEOPLE,
            COLOUR,
            OWNER,
            a(
                &["captain"],
                Value::Person,
                &[
                    "{v} commands {e}.",
                    "{e} sails under {v}.",
                    "{v} is the captain of {e}.",
                ],
                &[
                    "who commands {e}?",
                    "who is the captain of {e}?",
                    "under whom does {e} sail?",
                ],
            ),
            a(
                &["home port", "port"],
                Value::Place,
                &["{e} sails from {v}.", "{e} is at home in {v}."],
                &["from where does {e} sail?", "what is the home port of {e}?"],
            ),
            a(
                &["year of construction", "year"],
                Value::Year,
                &[
                    "{e} was built in {v}.",
                    "{e} was launched in {v}.",
                    "{e} first went to sea in {v}.",
                ],
                &[
                    "when was {e} built?",
                    "in which year was {e} launched?",
                    "in what year did {e} first go to sea?",
                ],
            ),
            a(
                &["cargo", "load"],
                Value::Food,
                &[
                    "{e} carries {v}.",
                    "{e} is loaded with {v}.",
                    "{v} fill the hold of {e}.",
                ],
                &["what does {e} carry?", "with what is {e} loaded?"],
            ),
            a(
                &["destination"],
                Value::Place,
                &[
                    "{e} is on the way to {v}.",
                    "{e} is bound for {v}.",
                    "{e} is heading for {v}.",
                ],
                &[
                    "where is {e} going?",
                    "where is {e} bound for?",
                    "what is {e} heading for?",
                ],
            ),
        ],
    },
    Topic {
        kind: "dish",
        name: Name::Dish,
        pronoun: "it",
        attributes: &[
            PRICE,
            a(
                &["cooking time", "baking time"],
                Value::Duration,
                &[
                    "{e} cooks for {v}.",
                    "leave {e} in the oven for {v}.",
                    "{e} is ready after {v}.",
                ],
                &[
                    "how long does {e} cook?",
                    "how long does {e} stay in the oven?",
                    "after how long is {e} ready?",
                ],
            ),
            a(
                &["oven temperature", "temperature"],
                Value::Temperature,
                &["bake {e} at {v}.", "{e} is baked at {v}."],
                &[
                    "how hot should the oven be for {e}?",
                    "at what temperature is {e} baked?",
                ],
            ),
            a(
                &["number of servings", "servings"],
                Value::Count,
                &["{e} serves {v}.", "{e} is enough for {v} people."],
                &[
                    "how many people does {e} serve?",
                    "for how many people is {e} enough?",
                ],
            ),
            a(
                &["main ingredient"],
                Value::Food,
                &["{e} is made with {v}.", "{e} contains a lot of {v}."],
                &["what is {e} made with?", "what does {e} contain?"],
            ),
            a(
                &["calories", "energy content"],
                Value::Count,
                &[
                    "{e} has {v} calories.",
                    "a plate of {e} comes to {v} calories.",
                ],
                &["how many calories does {e} have?"],
            ),
            a(
                &["cook", "chef"],
                Value::Person,
                &[
                    "{e} is prepared by {v}.",
                    "{v} cooks {e}.",
                    "{v} made up {e}.",
                ],
                &["who cooks {e}?", "who prepares {e}?", "who made up {e}?"],
            ),
        ],
    },
    Topic {
        kind: "order",
        name: Name::Code,
        pronoun: "it",
        attributes: &[
            PRICE,
            WEIGHT,
            DATE,
            a(
                &["customer", "buyer"],
                Value::Person,
                &[
                    "{e} was placed by {v}.",
                    "{v} ordered {e}.",
                    "{e} is for {v}.",
                ],
                &["who placed {e}?", "who ordered {e}?", "whom is {e} for?"],
            ),
            a(
                &["status"],
                Value::Grade,
                &["{e} is marked {v}.", "{e} now counts as {v}."],
                &["how is {e} marked?", "as what does {e} count?"],
            ),
            a(
                &["number of items", "quantity"],
                Value::Count,
                &["{e} has {v} items.", "{v} items belong to {e}."],
                &[
                    "how many items does {e} have?",
                    "how many items belong to {e}?",
                ],
            ),
            a(
                &["destination", "delivery address"],
                Value::Place,
                &[
                    "{e} goes to {v}.",
                    "{e} is shipped to {v}.",
                    "{v} is where {e} is sent.",
                ],
                &[
                    "where does {e} go?",
                    "where is {e} shipped?",
                    "where is {e} sent?",
                ],
            ),
            a(
                &["carrier", "shipping company"],
                Value::Company,
                &[
                    "{v} delivers {e}.",
                    "{e} is carried by {v}.",
                    "{e} was handed to {v}.",
                ],
                &["who delivers {e}?", "which company carries {e}?"],
            ),
        ],
    },
    Topic {
        kind: "thing",
        name: Name::Thing,
        pronoun: "it",
        attributes: &[
            PRICE,
            WEIGHT,
            COLOUR,
            MADE_OF,
            OWNER,
            LOCATION,
            LENGTH,
            HEIGHT,
            OPENED,
            MANAGER,
            HOURS,
            SPEED,
            POWER,
            MAKER,
            a(
                &["age"],
                Value::Duration,
                &["{e} is {v} old.", "{e} has been there for {v}."],
                &["how old is {e}?", "for how long has {e} been there?"],
            ),
            a(
                &["condition", "state"],
                Value::Grade,
                &["experts judged {e} to be {v}.", "{e} was rated {v}."],
                &["how was {e} rated?", "how did experts judge {e}?"],
            ),
            a(
                &["date of the last inspection", "last inspection"],
                Value::Date,
                &[
                    "{e} was last checked on {v}.",
                    "on {v} somebody inspected {e}.",
                ],
                &[
                    "when was {e} last checked?",
                    "when did somebody inspect {e}?",
                ],
            ),
        ],
    },
];

/// Second words of attributes that are made of two, with what their values are.
pub(crate) const COMPOUNDS: &[(&str, Value)] = &[
    ("limit", Value::Count),
    ("fee", Value::Price),
    ("deadline", Value::Date),
    ("code", Value::Code),
    ("contact", Value::Person),
    ("supplier", Value::Company),
    ("size", Value::Length),
    ("type", Value::Material),
    ("number", Value::Code),
    ("date", Value::Date),
    ("level", Value::Grade),
    ("rate", Value::Percent),
    ("time", Value::Time),
    ("colour", Value::Colour),
    ("address", Value::Email),
    ("version", Value::Version),
    ("count", Value::Count),
    ("cost", Value::Price),
    ("share", Value::Percent),
    ("length", Value::Length),
    ("period", Value::Duration),
    ("hotline", Value::Phone),
    ("location", Value::Place),
    ("budget", Value::Price),
    ("interval", Value::Duration),
    ("owner", Value::Person),
    ("weight", Value::Weight),
    ("score", Value::Count),
    ("setting", Value::Setting),
    ("partner", Value::Company),
    ("day", Value::Weekday),
    ("page", Value::Web),
    ("inspector", Value::Person),
    ("language", Value::Language),
    ("speed", Value::Speed),
    ("temperature", Value::Temperature),
];

/// Ways to say that the `{n}` of `{e}` is `{v}`; `{w}` is another value, `{a}` an article.
pub(crate) const SAYS: &[&str] = &[
    "the {n} of {e} is {v}.",
    "{e} has {a} {n} of {v}.",
    "{e}'s {n} is {v}.",
    "for {e}, the {n} is {v}.",
    "with {a} {n} of {v}, {e} is nothing unusual.",
    "{v} is the {n} of {e}.",
    "the {n} for {e} was set to {v}.",
    "when it comes to the {n}, {e} is listed with {v}.",
    "as {n}, {e} lists {v}.",
    "{e} ({n}: {v}) was added to the list.",
    "the record shows {v} as the {n} of {e}.",
    "according to the notes, {e} has {v} as {n}.",
    "under {n}, the entry for {e} says {v}.",
    "{e} is listed with {a} {n} of {v}.",
    "anyone who asks about the {n} of {e} is told {v}.",
    "it was decided that the {n} of {e} should be {v}.",
    "the {n}, in the case of {e}, is {v}.",
    "since last year, the {n} of {e} has been {v}.",
    "the {n} of {e} was changed from {w} to {v}.",
    "while others differ, {e} has {a} {n} of {v}.",
    "not {w} but {v} is the {n} of {e}.",
    "the {n} given for {e} is {v}.",
    "if you look up {e}, you will find that the {n} is {v}.",
    "{n} of {e}: {v}.",
    "{e}: {n} {v}.",
    "the staff confirmed that {e} has {a} {n} of {v}, which surprised nobody.",
    "{e}, whose {n} is {v}, is well known.",
    "{a} {n} of {v} applies to {e}.",
    "regarding {e}, note the {n}: {v}.",
    "{v} was named as the {n} of {e}.",
    "the {n} of {e} used to be {w}; now it is {v}.",
    "nobody doubts that {v} is the {n} of {e}.",
    "{e} stands out because its {n} is {v}.",
    "in the table, {e} appears with {v} as its {n}.",
    "the {n} that belongs to {e} is {v}.",
    "they chose {v} as the {n} of {e}.",
];

/// Ways to ask for the `{n}` of `{e}`.
pub(crate) const ASKS: &[&str] = &[
    "what is the {n} of {e}?",
    "what is the {n} of {e}?",
    "what's the {n} of {e}?",
    "what is {e}'s {n}?",
    "what {n} does {e} have?",
    "which {n} does {e} have?",
    "which {n} is given for {e}?",
    "can you tell me the {n} of {e}?",
    "what do the documents say about the {n} of {e}?",
    "tell me the {n} of {e}.",
    "{n} of {e}?",
    "{e} {n}",
    "I need the {n} of {e}.",
    "what was the {n} of {e}?",
    "do you know the {n} for {e}?",
    "what is listed as the {n} of {e}?",
    "name the {n} of {e}.",
    "for {e}, what is the {n}?",
    "what {n} is stated for {e}?",
    "please give the {n} of {e}.",
    "how is the {n} of {e} given?",
    "what does the text say is the {n} of {e}?",
    "I would like to know {e}'s {n}.",
    "{e}: what is the {n}?",
];

/// Ways to ask what has the `{n}` `{v}`, for a `{k}`.
pub(crate) const ASKS_WHICH: &[&str] = &[
    "which {k} has {a} {n} of {v}?",
    "what has {a} {n} of {v}?",
    "for which {k} is the {n} {v}?",
    "whose {n} is {v}?",
    "what is it that has {v} as its {n}?",
    "{v} is the {n} of which {k}?",
];
