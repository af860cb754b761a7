"""One question in two wordings, for what the guards know of a language's frames."""

import pytest

from failsoft.ladder.paraphrase.same_question import difference

# Two a line.
REWORDED = {
    "en": """
I lost my card. What should I do? | What do I do if I lost my card?
Is there a way to pause my membership? | Can I pause my membership?
When is the rent due? | By when do I have to pay the rent?
Is breakfast included in the price? | Does the room rate include breakfast?
How old do I have to be to rent a car? | What is the minimum age for renting a car?
How much does an extra driver cost? | What's the fee for an additional driver?
I'd like to know how I can add another driver | How do I add another driver?
Could you please explain how I can switch my tariff? | How do I change my plan?
how do i login | How do I log in to my account?
What does early repayment cost? | How much is early repayment?
How do I turn notifications off? | How can I disable notifications?
How can I get hold of the landlord? | How do I contact the landlord?
Can my landlord raise the rent? | Is my landlord allowed to increase the rent?
""",
    "de": """
Ich habe meine Karte verloren. Was soll ich tun? | \
Was mache ich, wenn ich meine Karte verloren habe?
Wie kündigt man den Vertrag? | Wie kann ich meinen Vertrag kündigen?
Lässt sich der Termin verschieben? | Kann ich den Termin verschieben?
Wie stelle ich einen Kreditantrag? | Wie beantrage ich einen Kredit?
Wie alt muss ich sein, um ein Auto zu mieten? | \
Wie hoch ist das Mindestalter, um ein Auto zu mieten?
Wann muss ich aus dem Zimmer? | Wann muss ich auschecken?
Wie kann man seine Adresse ändern? | Wie ändere ich meine Adresse?
Adresse ändern | Wie ändere ich meine Adresse?
Kann ich den Kredit vorzeitig zurückzahlen? | Ist eine vorzeitige Rückzahlung des Kredits möglich?
Was passiert, wenn ich zu spät zahle? | Was geschieht, wenn ich zu spät bezahle?
Darf der Vermieter die Miete erhöhen? | Ist der Vermieter berechtigt, die Miete zu erhöhen?
Wann haben Sie geöffnet? | Wie sind Ihre Öffnungszeiten?
Kann man mit Karte zahlen? | Ist Kartenzahlung möglich?
Gibt es einen Studentenrabatt? | Gibt es Rabatt für Studenten?
Wie aktiviere ich die Benachrichtigungen? | Wie schalte ich Benachrichtigungen ein?
Wie schalte ich die Benachrichtigungen aus? | Wie kann ich Benachrichtigungen deaktivieren?
Wieviel Gepäk darf ich mitnemen? | Wie viel Gepäck darf ich mitnehmen?
""",
    "es": """
¿Cómo se cancela el contrato? | ¿Cómo puedo cancelar mi contrato?
Quiero cancelar mi contrato | ¿Cómo cancelo mi contrato?
¿Cómo hago un pago? | ¿Cómo puedo pagar?
¿Qué papeles hacen falta para la hipoteca? | ¿Qué documentos necesito para la hipoteca?
¿Cuántos años hay que tener para alquilar un coche? | \
¿Cuál es la edad mínima para alquilar un coche?
¿Qué edad hay que tener para alquilar un coche? | ¿Cuál es la edad mínima para alquilar un coche?
¿Cuánto vale el seguro? | ¿Cuál es el precio del seguro?
¿El precio incluye el desayuno? | ¿Está incluido el desayuno?
Cambiar dirección | ¿Cómo cambio mi dirección?
Olvidé mi contraseña | He olvidado mi contraseña
Olvidé mi contraseña, ¿qué hago? | ¿Qué hago si olvidé mi contraseña?
¿El casero puede subir el alquiler? | ¿Puede el casero subir el alquiler?
¿Abren los domingos? | ¿Están abiertos los domingos?
¿Dónde está mi paquete? | ¿Dónde se encuentra mi paquete?
¿cuanto equipage puedo llebar? | ¿Cuánto equipaje puedo llevar?
¿Cómo me doy de alta? | ¿Cómo puedo darme de alta?
""",
}


@pytest.mark.parametrize("locale", REWORDED)
def test_both_wordings_ask_the_same(locale):
    pairs = [line.split(" | ") for line in REWORDED[locale].strip().splitlines()]
    told_apart = [pair for pair in pairs if difference(*pair, locale=locale) is not None]
    assert told_apart == []
