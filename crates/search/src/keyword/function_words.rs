//! Function words: the articles, pronouns, prepositions, conjunctions, question
//! words and auxiliary verbs of each language.
//!
//! They serve three ends. A question's function words are not searched for when it
//! has others (what they find is chance), they do not count in how much of a
//! question a chunk covers, and they tell a text's language. Words that also carry
//! meaning alone (`get`, `use`, `new`) are left out.

use std::sync::LazyLock;

use super::delta::Map;
use super::language::Language;

static LISTS: [(Language, &str); 17] = [
    (
        Language::English,
        "a about above after again against all also am an and any are aren as at be because been \
         before being below between both but by can cannot could couldn d did didn do does doesn \
         doing don down during each either else ever every few for from further had hadn has hasn \
         have haven having he her here hers herself him himself his how however i if in into is \
         isn it its itself just let ll m may me might more most mustn must my myself neither no \
         nor not now of off on once only or other our ours ourselves out over own per re s same \
         shall shan she should shouldn so some such t than that the their theirs them themselves \
         then there these they this those through to too under until up upon us ve very was wasn \
         we were weren what whatever when where whether which while who whom whose why will with \
         within without won would wouldn yet you your yours yourself yourselves",
    ),
    (
        Language::German,
        "aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei \
         beim bin bis bist da damit dann das dass dein deine dem den denn der des dessen die dies \
         diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines \
         er es etwas euch euer für gegen gibt hab habe haben hat hatte hatten hier hin hinter ich \
         ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes \
         kann kannst kein keine keinem keinen können könnte man mein meine mich mir mit muss \
         müssen nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen seiner \
         seit sich sie sind so soll sollen sollte sondern über um und uns unser unter viel vom von \
         vor war waren warum was weil welche welchem welchen welcher welches wem wen wenn wer \
         werde werden weshalb wie wieso wir wird wirst wo woher wohin wurde wurden während zu zum \
         zur zwischen",
    ),
    (
        Language::French,
        "à ai as au aucun aucune aussi autre aux avait avec avez avoir avons ce ceci cela celle \
         celui ces cet cette ceux chaque chez comme comment dans de depuis des donc dont du elle \
         elles en entre est et étaient était été être eux fait faut fut il ils je jusqu la le les \
         leur leurs lui ma mais me même mes moi mon ne ni non nos notre nous on ont ou où par pas \
         pendant peu peut peuvent plus pour pourquoi qu quand que quel quelle quelles quels qui \
         quoi sa sans se sera ses si son sont sous sur ta te tes toi ton tous tout toute toutes \
         très tu un une vers vos votre vous y",
    ),
    (
        Language::Spanish,
        "a al algo algún alguna algunas alguno algunos ante antes aquel aquella así aunque cada \
         como cómo con contra cual cuál cuáles cuando cuándo cuanto cuánto de del desde donde \
         dónde durante e el él ella ellas ellos en entre era eran es esa esas ese eso esos esta \
         está están estas este esto estos estoy fue fueron ha había han hasta hay la las le les lo \
         los más me mi mis mucho muy nada ni no nos nosotros o os otra otras otro otros para pero \
         por porque pues que qué quien quién quiénes se ser será si sí sin sobre son su sus \
         también tan tanto te tiene tienen todo todos tu tú un una unas uno unos usted ustedes y \
         ya yo",
    ),
    (
        Language::Italian,
        "a ad agli ai al alla alle allo anche c che chi ci cioè come con cosa cui da dagli dai dal \
         dalla dalle dallo degli dei del dell della delle dello deve di dopo dove e è ed era erano \
         essere fra gli ha hai hanno ho i il in io l la le lei li lo loro lui ma mentre mi mia mio \
         ne negli nei nel nell nella nelle nello noi non nostro o ogni per perché più può possono \
         prima qual quale quali quando quanto quella quelle quelli quello questa queste questi \
         questo se sei senza si sia siamo sono sotto sta stata stati stato su sua sue sugli sui \
         sul sulla sulle sullo suo suoi te ti tra tu tua tuo tutti tutto un una uno vi voi",
    ),
    (
        Language::Portuguese,
        "à ao aos aquela aquele aquilo as às até com como da das de dela dele deles depois do dos \
         e é ela elas ele eles em entre era eram essa essas esse esses esta está estão estas este \
         estes eu foi foram há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem \
         no nos nós nossa nosso num numa o onde os ou para pela pelas pelo pelos pode podem por \
         porque porquê qual quais quando quanto que quê quem são se sem ser será seu seus só sob \
         sobre sua suas também te tem têm teu um uma umas uns você vocês",
    ),
    (
        Language::Dutch,
        "aan al alle als bij ben bent daar dan dat de deze die dit doen door dus een eens en er \
         ge geen had hadden haar heb hebben heeft hem het hier hij hoe hoeveel hun ik in is ja je \
         jij jou jouw jullie kan kun kunnen kunt maar me meer men met mij mijn moet moeten mogen \
         na naar niet niets nog nu of om omdat onder ons onze ook op over te tegen tot u uit uw \
         van veel voor waar waarom wanneer want waren was wat we welk welke werd wezen wie wij \
         wil worden wordt zal ze zei zelf zich zij zijn zo zonder zou",
    ),
    (
        Language::Swedish,
        "alla allt än är att av blev bli blir de dem den denna deras dess dessa det detta dig din \
         dina ditt du efter ej eller en er ett från för får genom ha hade han hans har henne hennes \
         hon honom hur här i icke ingen inom inte jag ju kan kunde man med mellan men mig min mina \
         mitt mot mycket måste ni nu när någon något några och om oss på sedan sig sin sina sitt \
         ska skall skulle som så till under upp ur ut utan vad var vara varför vars vart vem vi \
         vid vilka vilken vilket var åt över",
    ),
    (
        Language::Danish,
        "af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din \
         disse dog du efter eller en end er et for fordi fra få får ham han hans har have havde \
         hende hendes her hos hun hvad hvem hvilke hvilken hvilket hvis hvor hvordan hvorfor \
         hvornår i ikke ind jeg jer jo kan kunne man mange med meget men mig min mine mit mod må \
         nogen noget nogle nu når og også om op os over på selv sig sin sine sit skal skulle som \
         sådan til ud under var ved vi vil ville vor være været",
    ),
    (
        Language::Norwegian,
        "alle alt andre at av ble bli blir blitt både da de deg dei dem den denne der deres det \
         dette di din disse dit du eg ein eit eller en enn er et ett etter for fordi fra få får \
         før ha hadde han hans har henne hennes her hun hva hvem hver hvilke hvilken hvis hvor \
         hvordan hvorfor i ikke ikkje inn ja jeg kan kom korleis kunne kva kvar man mange med meg \
         meget mellom men mer mest min mitt mot mye må nei noe noen nokon nå når og også om opp \
         oss over på samme seg selv si sin sine sitt skal skulle slik som så til um under ut uten \
         var ved vi vil ville vår være vært å",
    ),
    (
        Language::Finnish,
        "ei eivät eli emme en entä eräs että he heidän heitä hän häneen hänellä hänen häntä ilman \
         itse ja joita joka jolla jonka jos jossa josta jota jotka jotta kanssa keiden kenen ketkä \
         koska kuin kuinka kuka kun kyllä me meidän meillä mihin mikä miksi milloin millä minkä \
         minun minä missä mistä miten mitkä mitä mutta muut myös ne niiden niin niitä noin nuo \
         nyt näiden nämä olen olet oli olisi olivat olla on ovat pitää se sekä sen siinä siis \
         siitä sillä sinun sinä sitä tai te teidän tämä tämän tässä tästä tätä vaan vai vaikka \
         voi voivat",
    ),
    (
        Language::Hungarian,
        "a abban ahogy ahol aki akik amely amelyek ami amit annak arra az azok azon azonban azt \
         aztán be benne bár csak de e ebben egy egyes egyik el elég ellen első én és ettől ez ezek \
         ezen ezt fel hanem hiszen hogy hogyan hol ha így igen ill is itt jó ki kik kell le \
         legyen lehet lenni lesz lett maga majd már meg még mellett mert mi miért mikor milyen \
         mind minden mit mivel most nagy nekem nem nincs össze ott pedig s sem sok szerint ők őket \
         te tehát teljes ti tovább több úgy után utolsó vagy vagyok való van vannak vele volna \
         volt voltak",
    ),
    (
        Language::Romanian,
        "a acea această aceasta aceste acest acestea aceștia acolo acum ai aici al ale am ar are \
         aș așa asta ați atunci au avea ca că când care cărei căror ce cea cei cele celor cine cu \
         cum da dacă dar de deci deși din după ea ei ele era este eu există fără fi fie fiecare \
         fost iar îi îl îmi în încă între își îți la le li lor lui mai mea mei mele meu mi nici nu \
         o oricare pe pentru poate pot prin sa să sale sau său se sub sunt și te toate toți tu \
         un una unde unei unele unor unui voi",
    ),
    (
        Language::Turkish,
        "acaba ama ancak aslında az bana bazı ben beni benim bir biri birkaç biz bize bizi bu bunu \
         bunun çok çünkü da daha de değil diye dolayı en gibi göre hangi hani hatta hem hep hepsi \
         her hiç için ile ise kadar ki kim kime kimin mı mi mu mü nasıl ne neden nerede nereye \
         niçin niye o olan olarak oldu olduğu olmak olur ona onlar onu onun sadece sanki sen seni \
         senin siz sizi sonra şey şu şunu tüm ve veya var yani ya yok",
    ),
    (
        Language::Russian,
        "а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да \
         даже для до его ее её если есть ещё еще же за здесь и из или им их к как какая какие \
         какой каком кем когда кого который которая которые кто куда ли либо мне может можно мой \
         мы на над надо наш не него нее нет ни них но ну о об однако он она они оно от откуда \
         очень по под почему при с сам свой себя сколько со так также такой там те тем то того \
         тоже той только том тот ты у уже хотя чего чей чем что чтобы эта эти это этого этой \
         этом этот я",
    ),
    (
        Language::Greek,
        "αλλά αν αντί από αυτά αυτή αυτό αυτός για γιατί δε δεν εγώ είμαι είναι εμείς ένα ένας \
         εσύ ή η ήταν θα και κάθε κατά κι με μετά μέχρι μη μια μία μόνο μου μπορεί να ο οι όμως \
         όπου όπως όταν ότι όχι πιο ποια ποιο ποιος πολύ πότε που πού προς πώς πως σας σε σου στα \
         στη στην στις στο στον στους συ τα τη την της τι τις το τον του τους των ως",
    ),
    (
        Language::Arabic,
        "أم أن أنا أنت أو أي أين إذا إلا إلى إن التي الذي الذين الى ان او أيضا بعد بعض بل بين تلك \
         ثم حتى حيث ذلك سوف على عن عند غير في فيها فيه قد كان كانت كل كم كما كيف لا لقد لكن لم لما \
         لماذا لن له لها ليس ما ماذا متى مع من منذ منها منه نحن هذا هذه هل هم هنا هناك هو هي و وقد \
         ولا يا",
    ),
];

static INDEX: LazyLock<Map<&'static str, u32>> = LazyLock::new(|| {
    let mut index = Map::default();
    for (language, list) in &LISTS {
        for word in list.split_ascii_whitespace() {
            *index.entry(word).or_default() |= 1u32 << *language as u32;
        }
    }
    index
});

/// Returns whether `word`, lower-cased, is a function word of `language`.
pub(super) fn is_in(language: Language, word: &str) -> bool {
    INDEX
        .get(word)
        .is_some_and(|languages| languages & (1 << language as u32) != 0)
}

/// Returns the languages of which `word`, lower-cased, is a function word.
pub(super) fn languages_of(word: &str) -> impl Iterator<Item = Language> {
    let languages = INDEX.get(word).copied().unwrap_or(0);
    Language::ALL
        .into_iter()
        .filter(move |language| languages & (1 << *language as u32) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_words_belong_to_their_languages() {
        assert!(is_in(Language::English, "what"));
        assert!(!is_in(Language::German, "what"));
        assert!(!is_in(Language::None, "what"));
        let both = languages_of("die").collect::<Vec<_>>();
        assert_eq!(both, [Language::Dutch, Language::German]);
        assert_eq!(languages_of("cache").count(), 0);
    }
}
